package main

import "strings"

// coreRequests are the names of the core protocol's requests, from opcode 1 (appendix B).
var coreRequests = strings.Fields(`CreateWindow ChangeWindowAttributes GetWindowAttributes DestroyWindow DestroySubwindows
	ChangeSaveSet ReparentWindow MapWindow MapSubwindows UnmapWindow UnmapSubwindows ConfigureWindow CirculateWindow GetGeometry
	QueryTree InternAtom GetAtomName ChangeProperty DeleteProperty GetProperty ListProperties SetSelectionOwner GetSelectionOwner
	ConvertSelection SendEvent GrabPointer UngrabPointer GrabButton UngrabButton ChangeActivePointerGrab GrabKeyboard UngrabKeyboard
	GrabKey UngrabKey AllowEvents GrabServer UngrabServer QueryPointer GetMotionEvents TranslateCoordinates WarpPointer SetInputFocus
	GetInputFocus QueryKeymap OpenFont CloseFont QueryFont QueryTextExtents ListFonts ListFontsWithInfo SetFontPath GetFontPath
	CreatePixmap FreePixmap CreateGC ChangeGC CopyGC SetDashes SetClipRectangles FreeGC ClearArea CopyArea CopyPlane PolyPoint PolyLine
	PolySegment PolyRectangle PolyArc FillPoly PolyFillRectangle PolyFillArc PutImage GetImage PolyText8 PolyText16 ImageText8
	ImageText16 CreateColormap FreeColormap CopyColormapAndFree InstallColormap UninstallColormap ListInstalledColormaps AllocColor
	AllocNamedColor AllocColorCells AllocColorPlanes FreeColors StoreColors StoreNamedColor QueryColors LookupColor CreateCursor
	CreateGlyphCursor FreeCursor RecolorCursor QueryBestSize QueryExtension ListExtensions ChangeKeyboardMapping GetKeyboardMapping
	ChangeKeyboardControl GetKeyboardControl Bell ChangePointerControl GetPointerControl SetScreenSaver GetScreenSaver ChangeHosts
	ListHosts SetAccessControl SetCloseDownMode KillClient RotateProperties ForceScreenSaver SetPointerMapping GetPointerMapping
	SetModifierMapping GetModifierMapping - - - - - - - NoOperation`)

// extensionRequests are those of extensions, from minor opcode 0, as in xcb-proto.
var extensionRequests = map[string][]string{
	"BIG-REQUESTS": {"Enable"},
	"Composite": strings.Fields(`QueryVersion RedirectWindow RedirectSubwindows UnredirectWindow UnredirectSubwindows
		CreateRegionFromBorderClip NameWindowPixmap GetOverlayWindow ReleaseOverlayWindow`),
	"DAMAGE":                  strings.Fields("QueryVersion Create Destroy Subtract Add"),
	"Generic Event Extension": {"QueryVersion"},
	"GLX": strings.Fields(`- Render RenderLarge CreateContext DestroyContext MakeCurrent IsDirect QueryVersion WaitGL WaitX CopyContext
		SwapBuffers UseXFont CreateGLXPixmap GetVisualConfigs DestroyGLXPixmap VendorPrivate VendorPrivateWithReply QueryExtensionsString
		QueryServerString ClientInfo GetFBConfigs CreatePixmap DestroyPixmap CreateNewContext QueryContext MakeContextCurrent
		CreatePbuffer DestroyPbuffer GetDrawableAttributes ChangeDrawableAttributes CreateWindow DeleteWindow SetClientInfoARB
		CreateContextAttribsARB SetClientInfo2ARB`),
	"MIT-SCREEN-SAVER": strings.Fields("QueryVersion QueryInfo SelectInput SetAttributes UnsetAttributes Suspend"),
	"RANDR": strings.Fields(`QueryVersion - SetScreenConfig - SelectInput GetScreenInfo GetScreenSizeRange SetScreenSize GetScreenResources
		GetOutputInfo ListOutputProperties QueryOutputProperty ConfigureOutputProperty ChangeOutputProperty DeleteOutputProperty
		GetOutputProperty CreateMode DestroyMode AddOutputMode DeleteOutputMode GetCrtcInfo SetCrtcConfig GetCrtcGammaSize GetCrtcGamma
		SetCrtcGamma GetScreenResourcesCurrent SetCrtcTransform GetCrtcTransform GetPanning SetPanning SetOutputPrimary GetOutputPrimary
		GetProviders GetProviderInfo SetProviderOffloadSink SetProviderOutputSource ListProviderProperties QueryProviderProperty
		ConfigureProviderProperty ChangeProviderProperty DeleteProviderProperty GetProviderProperty GetMonitors SetMonitor DeleteMonitor`),
	"RENDER": strings.Fields(`QueryVersion QueryPictFormats QueryPictIndexValues QueryDithers CreatePicture ChangePicture
		SetPictureClipRectangles FreePicture Composite Scale Trapezoids Triangles TriStrip TriFan ColorTrapezoids ColorTriangles -
		CreateGlyphSet ReferenceGlyphSet FreeGlyphSet AddGlyphs AddGlyphsFromPicture FreeGlyphs CompositeGlyphs8 CompositeGlyphs16
		CompositeGlyphs32 FillRectangles CreateCursor SetPictureTransform QueryFilters SetPictureFilter CreateAnimCursor AddTraps
		CreateSolidFill CreateLinearGradient CreateRadialGradient CreateConicalGradient`),
	"SHAPE": strings.Fields("QueryVersion Rectangles Mask Combine Offset QueryExtents SelectInput InputSelected GetRectangles"),
	"SYNC": strings.Fields(`Initialize ListSystemCounters CreateCounter SetCounter ChangeCounter QueryCounter DestroyCounter Await
		CreateAlarm ChangeAlarm QueryAlarm DestroyAlarm SetPriority GetPriority CreateFence TriggerFence ResetFence DestroyFence
		QueryFence AwaitFence`),
	"XC-MISC": strings.Fields("GetVersion GetXIDRange GetXIDList"),
	"XFIXES": strings.Fields(`QueryVersion ChangeSaveSet SelectSelectionInput SelectCursorInput GetCursorImage CreateRegion
		CreateRegionFromBitmap CreateRegionFromWindow CreateRegionFromGC CreateRegionFromPicture DestroyRegion SetRegion CopyRegion
		UnionRegion IntersectRegion SubtractRegion InvertRegion TranslateRegion RegionExtents FetchRegion SetGCClipRegion
		SetWindowShapeRegion SetPictureClipRegion SetCursorName GetCursorName GetCursorImageAndName ChangeCursor ChangeCursorByName
		ExpandRegion HideCursor ShowCursor CreatePointerBarrier DeletePointerBarrier`),
	"XINERAMA": strings.Fields("QueryVersion GetState GetScreenCount GetScreenSize IsActive QueryScreens"),
	"XInputExtension": strings.Fields(`- GetExtensionVersion ListInputDevices OpenDevice CloseDevice SetDeviceMode SelectExtensionEvent
		GetSelectedExtensionEvents ChangeDeviceDontPropagateList GetDeviceDontPropagateList GetDeviceMotionEvents ChangeKeyboardDevice
		ChangePointerDevice GrabDevice UngrabDevice GrabDeviceKey UngrabDeviceKey GrabDeviceButton UngrabDeviceButton AllowDeviceEvents
		GetDeviceFocus SetDeviceFocus GetFeedbackControl ChangeFeedbackControl GetDeviceKeyMapping ChangeDeviceKeyMapping
		GetDeviceModifierMapping SetDeviceModifierMapping GetDeviceButtonMapping SetDeviceButtonMapping QueryDeviceState
		SendExtensionEvent DeviceBell SetDeviceValuators GetDeviceControl ChangeDeviceControl ListDeviceProperties ChangeDeviceProperty
		DeleteDeviceProperty GetDeviceProperty XIQueryPointer XIWarpPointer XIChangeCursor XIChangeHierarchy XISetClientPointer
		XIGetClientPointer XISelectEvents XIQueryVersion XIQueryDevice XISetFocus XIGetFocus XIGrabDevice XIUngrabDevice XIAllowEvents
		XIPassiveGrabDevice XIPassiveUngrabDevice XIListProperties XIChangeProperty XIDeleteProperty XIGetProperty XIGetSelectedEvents
		XIBarrierReleasePointer`),
	"XKEYBOARD": strings.Fields(`UseExtension SelectEvents - Bell GetState LatchLockState GetControls SetControls GetMap SetMap
		GetCompatMap SetCompatMap GetIndicatorState GetIndicatorMap SetIndicatorMap GetNamedIndicator SetNamedIndicator GetNames
		SetNames - - PerClientFlags ListComponents GetKbdByName GetDeviceInfo SetDeviceInfo`),
}

// predefinedAtoms are the names of the atoms that there always are, from 1 (appendix B).
var predefinedAtoms = strings.Fields(`PRIMARY SECONDARY ARC ATOM BITMAP CARDINAL COLORMAP CURSOR CUT_BUFFER0 CUT_BUFFER1 CUT_BUFFER2
	CUT_BUFFER3 CUT_BUFFER4 CUT_BUFFER5 CUT_BUFFER6 CUT_BUFFER7 DRAWABLE FONT INTEGER PIXMAP POINT RECTANGLE RESOURCE_MANAGER
	RGB_COLOR_MAP RGB_BEST_MAP RGB_BLUE_MAP RGB_DEFAULT_MAP RGB_GRAY_MAP RGB_GREEN_MAP RGB_RED_MAP STRING VISUALID WINDOW WM_COMMAND
	WM_HINTS WM_CLIENT_MACHINE WM_ICON_NAME WM_ICON_SIZE WM_NAME WM_NORMAL_HINTS WM_SIZE_HINTS WM_ZOOM_HINTS MIN_SPACE NORM_SPACE
	MAX_SPACE END_SPACE SUPERSCRIPT_X SUPERSCRIPT_Y SUBSCRIPT_X SUBSCRIPT_Y UNDERLINE_POSITION UNDERLINE_THICKNESS STRIKEOUT_ASCENT
	STRIKEOUT_DESCENT ITALIC_ANGLE X_HEIGHT QUAD_WIDTH WEIGHT POINT_SIZE RESOLUTION COPYRIGHT NOTICE FONT_NAME FAMILY_NAME FULL_NAME
	CAP_HEIGHT WM_CLASS WM_TRANSIENT_FOR`)
